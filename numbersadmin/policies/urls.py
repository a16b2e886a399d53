"""Addresses of policies, budgets and the stop."""

from django.urls import path

from numbersadmin.policies import views

urlpatterns = [
    path("", views.overview, name="policies"),
    path("new/", views.propose, name="policy-new"),
    path("budgets/", views.budgets, name="budgets"),
    path("budgets/new/", views.set_budget, name="budget-new"),
    path("stop/", views.stop, name="orders-stop"),
    path("<int:policy_id>/", views.policy, name="policy"),
    path("<int:policy_id>/change/", views.propose, name="policy-change"),
    path("<int:policy_id>/retire/", views.retire, name="policy-retire"),
    path("<int:policy_id>/confirm/", views.confirm, name="policy-confirm"),
    path("<int:policy_id>/reject/", views.reject, name="policy-reject"),
    path("<int:policy_id>/withdraw/", views.withdraw, name="policy-withdraw"),
]
