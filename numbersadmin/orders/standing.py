"""How far the decision on an order has come: who has approved this round, who is still needed, who may."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Case, Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from numbersadmin.accounts.models import User
from numbersadmin.accounts.selectors import holders_of
from numbersadmin.orders.models import Decision, Order, OrderItem, Role, State, Verdict

DECIDES = {Role.APPROVER: "orders.approve", Role.FINANCE: "orders.approve_budget"}


@dataclass(frozen=True, slots=True)
class Standing:
    """The decisions of the present round, and what is still missing."""

    approvals: list[Decision]  # of approvers
    finance: list[Decision]
    needed: int  # approvers, altogether
    finance_needed: bool

    @property
    def approvers_missing(self) -> int:
        """So many approvers still have to agree."""
        return max(0, self.needed - len(self.approvals))

    @property
    def finance_missing(self) -> bool:
        """Does finance still have to agree?"""
        return self.finance_needed and not self.finance

    def role_for(self, person: User, requester_id: int) -> Role | None:
        """As what this person may decide now; None when they may not (asked for it, has decided, not needed)."""
        if person.pk == requester_id or person.pk in {
            one.approver_id for one in (*self.approvals, *self.finance)
        }:
            return None
        if self.approvers_missing and person.can(DECIDES[Role.APPROVER]):
            return Role.APPROVER
        if self.finance_missing and person.can(DECIDES[Role.FINANCE]):
            return Role.FINANCE
        return None


def standing_of(order: Order, decisions: Iterable[Decision]) -> Standing:
    """How far an order has come, from all its decisions."""
    agreed = [one for one in decisions if one.round == order.round and one.verdict == Verdict.APPROVE]
    return Standing(
        approvals=[one for one in agreed if one.role == Role.APPROVER],
        finance=[one for one in agreed if one.role == Role.FINANCE],
        needed=order.approvals_needed or int(not order.finance_needed),
        finance_needed=order.finance_needed,
    )


def waiting_for(user: User) -> QuerySet[Order]:
    """The orders that this person may decide on now, oldest first: `Standing.role_for` as a query."""
    may = Q()
    if user.can(DECIDES[Role.APPROVER]):
        may |= Q(approvals__lt=F("approvers_needed"))
    if user.can(DECIDES[Role.FINANCE]):
        may |= Q(finance_needed=True, finance_agreed=False)
    if not may:
        return Order.objects.none()
    agreed = Decision.objects.filter(
        order=OuterRef("pk"), round=OuterRef("round"), verdict=Verdict.APPROVE
    ).order_by()
    pending = OrderItem.objects.filter(order=OuterRef("pk"), state=State.PENDING)
    by_approvers = agreed.filter(role=Role.APPROVER).values("order").annotate(n=Count("pk")).values("n")
    return (
        Order.objects.filter(Exists(pending))
        .exclude(requester=user)
        .exclude(Exists(agreed.filter(approver=user)))
        .annotate(
            approvals=Coalesce(Subquery(by_approvers), 0),
            finance_agreed=Exists(agreed.filter(role=Role.FINANCE)),
            approvers_needed=Case(
                When(approvals_needed=0, finance_needed=False, then=1),
                default=F("approvals_needed"),
                output_field=IntegerField(),
            ),
        )
        .filter(may)
        .order_by("created_at", "id")
    )


def approvers() -> QuerySet[User]:
    """Everyone who may approve, by name; a requester among them is not to be shown."""
    return holders_of(DECIDES[Role.APPROVER])
