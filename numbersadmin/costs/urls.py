"""Addresses of the costs pages."""

from django.urls import path

from numbersadmin.costs import close_views, correction_views, views

urlpatterns = [
    path("", views.index, name="costs"),
    path("numbers/<int:number_id>/", views.number, name="costs-number"),
    path("corrections/", correction_views.corrections, name="costs-corrections"),
    path("corrections/late/", correction_views.post_late, name="costs-late"),
    path("corrections/new/", correction_views.correct, name="costs-correct"),
    path("reopenings/<int:ask_id>/", close_views.decide, name="costs-reopening"),
    path("<str:month>/", views.month, name="costs-month"),
    path("<str:month>/lines/", views.lines, name="costs-lines"),
    path("<str:month>/export.csv", views.export_csv, name="costs-export"),
    path("<str:month>/close/", close_views.close, name="costs-close"),
    path("<str:month>/closed/", close_views.closed, name="costs-closed"),
    path("<str:month>/reopen/", close_views.reopen, name="costs-reopen"),
    path("<str:month>/unpriced/", correction_views.unpriced, name="costs-unpriced"),
    path("<str:month>/unpriced/<int:number_id>/", correction_views.price, name="costs-price"),
]
