"""Widgets that every page shares: tables, pills, action icons, forms, banners. GUI thread."""
