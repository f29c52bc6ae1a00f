"""Actions: what an agent wants to do and a person decides. Shared by the API and the buttons in Slack."""
