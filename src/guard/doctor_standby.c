/*-------------------------------------------------------------------------
 * doctor_standby.c
 *		audit.doctor(): do records of this standby reach its primary server?
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/guc.h"
#include "base/shmem.h"
#include "guard/doctor.h"

#define REMEDY                                                                                     \
	"Set audit_trail.primary_conninfo in the configuration file, to a user that is a member of "   \
	"the role audit_standby, and reload it. What is in the log: look for \"audit_trail record:\"."

bool
at_doctor_standby(const AtDoctor *doctor, const char *name)
{
	AtPrimaryStatus status;

	if (!RecoveryInProgress() || !at_shmem_ready())
		return false;
	at_slot_get_primary(at_slot_find(MyDatabaseId), &status);
	if (at_guc_primary_conninfo[0] == '\0')
		at_doctor_report(doctor, name, WARN, REMEDY,
						 "What this standby observes goes to its own log alone.");
	else if (status.failing_since != 0)
		at_doctor_report(
			doctor, name, status.given_up ? PROBLEM : WARN, REMEDY,
			"Records of this standby do not reach the primary server since %s: %s. " UINT64_FORMAT
			" are in the server's log instead.",
			timestamptz_to_str(status.failing_since), status.message, status.logged);
	else if (status.connected_at != 0)
		at_doctor_report(doctor, name, status.logged == 0 ? OK : WARN,
						 status.logged == 0 ? NULL : REMEDY,
						 UINT64_FORMAT " records of this standby have reached the primary server, "
									   "and " UINT64_FORMAT " are in the server's log instead.",
						 status.delivered, status.logged);
	else
		return false;
	return true;
}
