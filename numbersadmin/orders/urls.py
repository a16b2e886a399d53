"""Addresses of the orders pages. The page that cancels a number is in the project's urls.py, under /numbers/."""

from django.urls import path

from numbersadmin.orders import talk_views, views

urlpatterns = [
    path("", views.order_list, name="orders"),
    path("new/", views.order_new, name="order-new"),
    path("<int:order_id>/", views.order_detail, name="order"),
    path("<int:order_id>/approve/", views.approve, name="order-approve"),
    path("<int:order_id>/reject/", views.reject, name="order-reject"),
    path("<int:order_id>/withdraw/", views.withdraw, name="order-withdraw"),
    path("<int:order_id>/reprice/", views.reprice, name="order-reprice"),
    path("<int:order_id>/comment/", talk_views.comment, name="order-comment"),
    path("<int:order_id>/remind/", talk_views.remind, name="order-remind"),
    path("<int:order_id>/similar/<int:item_id>/", talk_views.similar, name="order-similar"),
]
