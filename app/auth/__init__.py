"""Who somebody is: registration, login, access tokens."""
