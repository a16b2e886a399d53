"""Addresses of the orders pages. The page that cancels a number is in the project's urls.py, under /numbers/."""

from django.urls import path

from numbersadmin.orders import ask_views, bulk_views, decision_views, settle_views, views

urlpatterns = [
    path("", views.order_list, name="orders"),
    path("new/", ask_views.order_new, name="order-new"),
    path("bulk/", bulk_views.order_bulk, name="order-bulk"),
    path("approve/", decision_views.review, name="orders-approve"),
    path("<int:order_id>/", views.order_detail, name="order"),
    path("<int:order_id>/approve/", decision_views.approve, name="order-approve"),
    path("<int:order_id>/reject/", decision_views.reject, name="order-reject"),
    path("<int:order_id>/withdraw/", decision_views.withdraw, name="order-withdraw"),
    path("<int:order_id>/reprice/", decision_views.reprice, name="order-reprice"),
    path("<int:order_id>/resume/", decision_views.resume, name="order-resume"),
    path("<int:order_id>/items/<int:item_id>/outcome/", settle_views.propose_outcome, name="order-outcome"),
    path(
        "<int:order_id>/outcomes/<int:resolution_id>/",
        settle_views.confirm_outcome,
        name="order-outcome-confirm",
    ),
]
