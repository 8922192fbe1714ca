#!/bin/sh
# Watch alerts with psql: listen.sh [LAST_ALERT_ID]; PGHOST, PGDATABASE and so on say where.
#
# Listen first, then catch up, then loop. psql shows notifications when a command has ended, so it gets an
# empty one each second.
{
	echo 'LISTEN audit_alert;'
	echo 'SELECT alert_id, raised_at, rule, severity, table_name, resource_id, changed FROM audit.alerts_since(:last);'
	while sleep 1; do
		echo 'SELECT WHERE false \g /dev/null'
	done
} | psql -X -q -v last="${1:-0}"
