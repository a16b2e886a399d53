"""Who there is, as other parts ask for them."""

from django.db.models import QuerySet

from numbersadmin.accounts.models import User
from numbersadmin.accounts.roles import PERMISSIONS


def holders_of(permission: str) -> QuerySet[User]:
    """Everyone active who may do something, by name."""
    roles = [role for role, permissions in PERMISSIONS.items() if permission in permissions]
    return User.objects.filter(is_active=True, grants__role__in=roles).distinct().order_by("username")
