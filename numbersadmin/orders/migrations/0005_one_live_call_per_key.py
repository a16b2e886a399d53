"""One call at a time for a key, whatever it does: buying while giving back is unknown waits until that is settled."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0004_automatic_orders_in_one_turn"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="providerattempt", name="attempt_one_live_per_key"),
        migrations.AddConstraint(
            model_name="providerattempt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("outcome__isnull", True), ("outcome", "unknown"), _connector="OR"),
                fields=("number_key",),
                name="attempt_one_live_per_key",
            ),
        ),
    ]
