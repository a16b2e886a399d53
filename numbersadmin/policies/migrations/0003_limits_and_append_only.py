"""Limits name their currency and are not negative, ended proposals name who ended them, budgets are only added."""

from django.conf import settings
from django.db import migrations, models

from numbersadmin.audit.append_only import protect


class Migration(migrations.Migration):

    dependencies = [
        ('policies', '0002_stop_is_lifted_by_someone'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='approvalpolicy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('currency', ''), _negated=True), models.Q(('max_monthly__isnull', True), ('max_setup__isnull', True)), _connector='OR'), name='policy_limit_names_currency'),
        ),
        migrations.AddConstraint(
            model_name='approvalpolicy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('max_monthly__isnull', True), ('max_monthly__gte', 0), _connector='OR'), models.Q(('max_setup__isnull', True), ('max_setup__gte', 0), _connector='OR')), name='policy_limit_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='approvalpolicy',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['rejected', 'withdrawn']), _negated=True), models.Q(('decided_at__isnull', False), ('decided_by__isnull', False)), _connector='OR'), name='policy_ended_by_someone'),
        ),
        protect('policies_budget'),
    ]
