/*-------------------------------------------------------------------------
 * client.c
 *		The client of this process.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

/* Its headers need those of Kerberos, and nothing of it is looked at here. */
#undef ENABLE_GSS

#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "replication/walsender.h"
#include "utils/memutils.h"

#include "base/client.h"
#include "base/compat.h"

/* Right after an error: the name of a method is a constant of the server's. */
static const char *method;

static const char *
given(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : NULL;
}

bool
at_client_look(AtClient *client)
{
	const Port *port = MyProcPort;
	bool is_local;

	if (port == NULL)
		return false;

	/* the line of pg_hba.conf goes with the memory of authentication, the pointer stays */
	if (port->hba != NULL && PostmasterContext != NULL)
		method = hba_authname(port->hba->auth_method);
	is_local = port->raddr.addr.ss_family != AF_INET && port->raddr.addr.ss_family != AF_INET6;
	*client = (AtClient){
		.user = given(port->user_name),
		.database = am_walsender && !am_db_walsender ? NULL : given(port->database_name),
		.address = is_local ? NULL : given(port->remote_host),
		.port = is_local || port->remote_port == NULL ? 0 : atoi(port->remote_port),
		.method = method,
		.identity = given(AT_AUTHENTICATED_NAME(port)),
		.is_replication = am_walsender,
	};
	return true;
}
