"""Addresses of the costs pages."""

from django.urls import path

from numbersadmin.costs import (
    bridge_views,
    close_views,
    correction_views,
    file_views,
    note_views,
    rate_views,
    views,
)

urlpatterns = [
    path("", views.index, name="costs"),
    path("numbers/<int:number_id>/", views.number, name="costs-number"),
    path("corrections/", correction_views.corrections, name="costs-corrections"),
    path("corrections/late/", correction_views.post_late, name="costs-late"),
    path("corrections/new/", correction_views.correct, name="costs-correct"),
    path("reopenings/<int:ask_id>/", close_views.decide, name="costs-reopening"),
    path("rates/", rate_views.rates, name="rates"),
    path("rates/set/", rate_views.set_rate, name="rate-set"),
    path("<str:month>/", views.month, name="costs-month"),
    path("<str:month>/lines/", views.lines, name="costs-lines"),
    path("<str:month>/bridge/", bridge_views.part, name="costs-bridge"),
    path("<str:month>/forecast/", bridge_views.forecast, name="costs-forecast"),
    path("<str:month>/notes/add/", note_views.add, name="costs-note-add"),
    path("notes/<int:note_id>/", note_views.change, name="costs-note"),
    path("notes/<int:note_id>/remove/", note_views.remove, name="costs-note-remove"),
    path("<str:month>/export.csv", views.export_csv, name="costs-export"),
    path("<str:month>/close/", close_views.close, name="costs-close"),
    path("<str:month>/closed/", close_views.closed, name="costs-closed"),
    path("<str:month>/reopen/", close_views.reopen, name="costs-reopen"),
    path("<str:month>/unpriced/", correction_views.unpriced, name="costs-unpriced"),
    path("<str:month>/unpriced/<int:number_id>/", correction_views.price, name="costs-price"),
    path("<str:month>/report/", file_views.report, name="costs-report"),
    path("<str:month>/pack.zip", file_views.pack_zip, name="costs-pack"),
    path("<str:month>/files/", file_views.files, name="costs-files"),
    path("<str:month>/lines.csv", file_views.lines_csv, name="costs-lines-csv"),
    path("<str:month>/lines.xlsx", file_views.lines_xlsx, name="costs-lines-xlsx"),
    path("<str:month>/groups.csv", file_views.groups_csv, name="costs-groups-csv"),
    path("<str:month>/groups.xlsx", file_views.groups_xlsx, name="costs-groups-xlsx"),
    path("<str:month>/focus.csv", file_views.focus_csv, name="costs-focus"),
]
