/*-------------------------------------------------------------------------
 * doctor_alert.c
 *		audit.doctor(): are alerts delivered and heard, and does anybody see to them?
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/fmgrprotos.h"

#include "base/guc.h"
#include "guard/doctor.h"

/* From so much of the queue of NOTIFY on the server warns too. */
#define QUEUE_MUCH 0.5

#define QUEUE_REMEDY                                                                               \
	"Make room on the disk that pg_notify is on if it is full, and end those who listen and do "   \
	"not come out of a transaction: SELECT pid, usename, xact_start FROM pg_stat_activity WHERE "  \
	"state LIKE 'idle in transaction%' ORDER BY xact_start;"

static bool check_given_up(const AtDoctor *doctor, const char *name);
static bool check_unanswered(const AtDoctor *doctor, const char *name);

void
at_doctor_alerts(const AtDoctor *doctor, const char *name)
{
	bool good = check_given_up(doctor, name);

	if (check_unanswered(doctor, name) && good)
		at_doctor_report(doctor, name, OK, NULL,
						 "No delivery was given up, and somebody has seen to each alert in time.");
}

/* Of each channel and sink; what nobody acknowledges is told below. */
static bool
check_given_up(const AtDoctor *doctor, const char *name)
{
	uint64 channels = at_doctor_query("SELECT d.channel, count(*), pg_catalog.min(d.failed_at), "
									  "(pg_catalog.array_agg(d.detail ORDER BY d.failed_at "
									  "DESC))[1] FROM audit.dead_letters AS d "
									  "WHERE d.outcome <> 'unanswered' GROUP BY 1 ORDER BY 1");

	for (uint64 i = 0; i < channels; i++)
		at_doctor_report(
			doctor, name, PROBLEM,
			"SELECT audit.resend_alert(alert_id) FROM audit.dead_letters WHERE outcome "
			"<> 'unanswered'; -- when it takes alerts again",
			"%s alerts for %s were given up, the first at %s; the last because: %s.",
			at_doctor_field(i, 2), at_doctor_field(i, 1), at_doctor_field(i, 3),
			at_doctor_field(i, 4));
	return channels == 0;
}

/* Others than those of its rule have been told of it by then, if there are any. */
static bool
check_unanswered(const AtDoctor *doctor, const char *name)
{
	char *sql = psprintf(
		"SELECT count(*), pg_catalog.min(a.raised_at) FROM audit.alert AS a "
		"WHERE a.severity IN ('high', 'critical') AND a.raised_at < pg_catalog.now() - "
		"pg_catalog.make_interval(secs => %d) AND NOT EXISTS (SELECT FROM audit.alert_action AS k "
		"WHERE k.alert_id = a.alert_id AND k.kind = 'acknowledged')",
		at_guc_alert_escalate_after);

	(void) at_doctor_query(sql);
	if (strcmp(at_doctor_field(0, 1), "0") == 0)
		return true;
	at_doctor_report(
		doctor, name, PROBLEM,
		"See to them: SELECT audit.acknowledge(alert_id, 'what was done') FROM "
		"audit.open_alerts WHERE severity IN ('high', 'critical');",
		"%s alerts of severity high or critical are older than "
		"audit_trail.alert_escalate_after, and nobody has acknowledged them; the first "
		"is of %s.",
		at_doctor_field(0, 1), at_doctor_field(0, 2));
	return false;
}

/* Deliveries that had to wait for room, and could have been told a while ago. */
void
at_doctor_notification_queue(const AtDoctor *doctor, const char *name)
{
	double used;

	(void) at_doctor_query(
		"SELECT count(*), pg_catalog.min(d.delivered_at) FROM audit.alert_delivery AS d "
		"WHERE d.outcome = 'unheard' AND d.due_at < pg_catalog.now() - interval '2 seconds' "
		"AND NOT EXISTS (SELECT FROM audit.alert_delivery AS l WHERE l.alert_id = d.alert_id "
		"AND l.channel = d.channel AND l.attempt > d.attempt)");
	if (strcmp(at_doctor_field(0, 1), "0") != 0)
	{
		at_doctor_report(doctor, name, WARN, QUEUE_REMEDY,
						 "There was no room in the queue of NOTIFY for %s deliveries of alerts, "
						 "the first at %s: they can be read, and are not heard.",
						 at_doctor_field(0, 1), at_doctor_field(0, 2));
		return;
	}
	used = DatumGetFloat8(DirectFunctionCall1(pg_notification_queue_usage, (Datum) 0));
	if (used > QUEUE_MUCH)
		at_doctor_report(doctor, name, WARN, QUEUE_REMEDY,
						 "The queue of NOTIFY is full to %d %%; alerts wait from 90 %% on.",
						 (int) (used * 100));
	else
		at_doctor_report(doctor, name, OK, NULL,
						 "There is room for alerts in the queue of NOTIFY.");
}
