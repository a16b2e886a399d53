"""Addresses of the pages of owned numbers."""

from django.urls import path

from numbersadmin.numbers import bulk_views, file_views, views

urlpatterns = [
    path("", views.list_numbers, name="numbers"),
    path("export.csv", file_views.export_csv, name="numbers-csv"),
    path("export.xlsx", file_views.export_xlsx, name="numbers-xlsx"),
    path("import/", file_views.import_numbers, name="import-numbers"),
    path("import/template.csv", file_views.import_template, name="import-template"),
    path("change/", bulk_views.change_numbers, name="change-numbers"),
    path("changes/", bulk_views.bulk_changes, name="bulk-changes"),
    path("change/<int:change_id>/", bulk_views.bulk_change, name="bulk-change"),
    path("change/<int:change_id>/confirm/", bulk_views.confirm_change, name="confirm-change"),
    path("change/<int:change_id>/undo/", bulk_views.undo_change, name="undo-change"),
    path("<int:number_id>/", views.number, name="number"),
    path("<int:number_id>/protect/", views.protect, name="protect-number"),
    path("<int:number_id>/edit/", views.edit, name="edit-number"),
    path("+<str:digits>/", views.by_number, name="number-by-digits"),
]
