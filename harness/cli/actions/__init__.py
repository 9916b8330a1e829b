"""What the commands do and show; the commands themselves only parse."""
