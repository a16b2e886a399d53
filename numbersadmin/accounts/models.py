"""People and the roles they hold."""

from functools import cached_property
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.db import models

from numbersadmin.accounts.roles import Role, permissions_of


class Theme(models.TextChoices):
    """Colours of the pages: with the system, light or dark."""

    AUTO = "auto", "As the system"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class UserManager(BaseUserManager["User"]):
    """Making people."""

    def create_user(self, username: str, password: str | None = None, email: str = "") -> "User":
        """A new person; without a password nobody can sign in as them."""
        user = self.model(username=self.model.normalize_username(username), email=email)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person who signs in; `is_active` off ends their sessions at the next request. No flag bypasses a role."""

    username = models.CharField(
        max_length=150,
        unique=True,
        validators=[UnicodeUsernameValidator()],
        error_messages={"unique": "This user name is taken."},
    )
    full_name = models.CharField(max_length=150, blank=True)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    time_zone = models.CharField(max_length=64, blank=True)
    theme = models.CharField(max_length=5, choices=Theme.choices, default=Theme.AUTO)
    shortcuts = models.BooleanField(default=True)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    def __str__(self) -> str:
        return self.username

    @property
    def display_name(self) -> str:
        """The name shown to people."""
        return self.full_name or self.username

    @cached_property
    def roles(self) -> frozenset[str]:
        """The roles held, read once per request."""
        return frozenset(self.grants.values_list("role", flat=True)) if self.is_active else frozenset()

    @property
    def role_names(self) -> list[str]:
        """The roles' names for people, in the order of `Role`."""
        return [role.label for role in Role if role in self.roles]

    @property
    def permissions(self) -> frozenset[str]:
        """Everything this person may do, for templates: `"costs.close" in request.user.permissions`."""
        return permissions_of(self.roles)

    def can(self, permission: str) -> bool:
        """May this person do it?"""
        return permission in self.permissions


class RoleGrant(models.Model):
    """One role of one person."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="role_grant_once")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"
