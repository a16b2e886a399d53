"""The address of every page, an app a prefix."""

from django.urls import include, path

from numbersadmin.costs.number_views import number
from numbersadmin.orders.ask_views import cancel_number

urlpatterns = [
    path("", include("numbersadmin.overview.urls")),
    path("", include("numbersadmin.accounts.urls")),
    path("available/", include("numbersadmin.available.urls")),
    path("orders/", include("numbersadmin.orders.urls")),
    path("policies/", include("numbersadmin.policies.urls")),
    path("numbers/<int:number_id>/cancel/", cancel_number, name="cancel-number"),
    path("numbers/<int:number_id>/", number, name="number"),  # the page tells charges and orders too
    path("numbers/", include("numbersadmin.numbers.urls")),
    path("costs/", include("numbersadmin.costs.urls")),
    path("invoices/", include("numbersadmin.invoices.urls")),
    path("attestation/", include("numbersadmin.attestation.urls")),
    path("audit/", include("numbersadmin.audit.urls")),
    path("sync/", include("numbersadmin.sync.urls")),
]

handler500 = "numbersadmin.web.server_error"
