"""A number that was bought is what became of one order, and of no second one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0005_one_live_call_per_key"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="orderitem",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "purchase"), ("state", "done")),
                fields=("owned_number",),
                name="order_item_one_bought_it",
            ),
        ),
    ]
