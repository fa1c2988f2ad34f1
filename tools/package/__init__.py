"""Installers and packages, built from pinned parts. Standard library only."""
