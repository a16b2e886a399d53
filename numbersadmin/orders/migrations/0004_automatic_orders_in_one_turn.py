"""Orders without approver are counted in one turn for everybody, so that two people together keep a budget."""

from django.db import migrations, models


def renumber(apps, schema_editor):
    """Every such order counts in the order it was made."""
    orders = apps.get_model("orders", "Order").objects
    orders.filter(auto_serial__isnull=False).update(auto_serial=models.F("id"))


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0003_approvals_and_outcomes"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="order", name="order_auto_in_turn"),
        migrations.RunPython(renumber, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(fields=["auto_serial"], name="order_auto_in_turn"),
        ),
    ]
