"""What each report may claim, in one plain sentence computed from its rows, and what its page is called."""
