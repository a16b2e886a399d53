"""Addresses of the invoices."""

from django.urls import path

from numbersadmin.invoices import line_views, views

urlpatterns = [
    path("", views.index, name="invoices"),
    path("upload/", views.upload, name="invoice-upload"),
    path("<int:invoice_id>/", views.invoice, name="invoice"),
    path("<int:invoice_id>/columns/", views.columns, name="invoice-columns"),
    path("<int:invoice_id>/compare/", views.compare, name="invoice-compare"),
    path("<int:invoice_id>/discard/", views.discard, name="invoice-discard"),
    path("<int:invoice_id>/result.csv", views.result, name="invoice-result"),
    path("<int:invoice_id>/post/", line_views.post_all, name="invoice-post-all"),
    path("<int:invoice_id>/lines/<int:line_id>/", line_views.line, name="invoice-line"),
    path("<int:invoice_id>/lines/<int:line_id>/post/", line_views.post, name="invoice-post"),
    path("<int:invoice_id>/rows/<int:row>/ignore/", line_views.ignore, name="invoice-ignore"),
]
