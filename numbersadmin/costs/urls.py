"""Addresses of the costs pages."""

from django.urls import path

from numbersadmin.costs import file_views, rate_views, views

urlpatterns = [
    path("", views.index, name="costs"),
    path("numbers/<int:number_id>/", views.number, name="costs-number"),
    path("rates/", rate_views.rates, name="rates"),
    path("rates/set/", rate_views.set_rate, name="rate-set"),
    path("<str:month>/", views.month, name="costs-month"),
    path("<str:month>/lines/", views.lines, name="costs-lines"),
    path("<str:month>/export.csv", views.export_csv, name="costs-export"),
    path("<str:month>/report/", file_views.report, name="costs-report"),
    path("<str:month>/pack.zip", file_views.pack_zip, name="costs-pack"),
    path("<str:month>/files/", file_views.files, name="costs-files"),
    path("<str:month>/lines.csv", file_views.lines_csv, name="costs-lines-csv"),
    path("<str:month>/lines.xlsx", file_views.lines_xlsx, name="costs-lines-xlsx"),
    path("<str:month>/groups.csv", file_views.groups_csv, name="costs-groups-csv"),
    path("<str:month>/groups.xlsx", file_views.groups_xlsx, name="costs-groups-xlsx"),
    path("<str:month>/focus.csv", file_views.focus_csv, name="costs-focus"),
]
