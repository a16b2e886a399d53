"""Addresses of attestation: what asks of a person, a sheet, a round."""

from django.urls import path

from numbersadmin.attestation import round_views, views

urlpatterns = [
    path("", views.overview, name="attestation"),
    path("handed/", views.handed, name="attestation-handed"),
    path("start/", round_views.start, name="attestation-start"),
    path("rounds/<int:round_id>/", round_views.round_page, name="attestation-round"),
    path("rounds/<int:round_id>/export.csv", round_views.export_csv, name="attestation-export"),
    path("rounds/<int:round_id>/close/", round_views.close, name="attestation-close"),
    path("<int:sheet_id>/", views.sheet, name="attestation-sheet"),
    path("<int:sheet_id>/choose/", views.choose, name="attestation-choose"),
    path("<int:sheet_id>/answer/", views.answer, name="attestation-answer"),
    path("<int:sheet_id>/extend/", round_views.extend, name="attestation-extend"),
]
