"""Tests of what only Windows has; ``./dev package check windows`` runs them in the Windows lab."""
