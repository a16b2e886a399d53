"""Addresses of the pages of owned numbers."""

from django.urls import path

from numbersadmin.numbers import acquired_views, bulk_views, file_views, list_views, views

urlpatterns = [
    path("", list_views.list_numbers, name="numbers"),
    path("columns/", list_views.columns, name="number-columns"),
    path("views/new/", list_views.save_view, name="save-view"),
    path("views/<int:view_id>/", list_views.change_view, name="saved-view"),
    path("views/<int:view_id>/delete/", list_views.delete_view, name="delete-view"),
    path("<int:number_id>/acquired/", acquired_views.acquired, name="number-acquired"),
    path("export.csv", file_views.export_csv, name="numbers-csv"),
    path("export.xlsx", file_views.export_xlsx, name="numbers-xlsx"),
    path("import/", file_views.import_numbers, name="import-numbers"),
    path("import/template.csv", file_views.import_template, name="import-template"),
    path("change/", bulk_views.change_numbers, name="change-numbers"),
    path("changes/", bulk_views.bulk_changes, name="bulk-changes"),
    path("change/<int:change_id>/", bulk_views.bulk_change, name="bulk-change"),
    path("change/<int:change_id>/confirm/", bulk_views.confirm_change, name="confirm-change"),
    path("change/<int:change_id>/undo/", bulk_views.undo_change, name="undo-change"),
    path("<int:number_id>/protect/", views.protect, name="protect-number"),
    path("<int:number_id>/edit/", views.edit, name="edit-number"),
    path("+<str:digits>/", views.by_number, name="number-by-digits"),
]
