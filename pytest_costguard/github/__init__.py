"""Pull request comments; filled by the GitHub Action."""
