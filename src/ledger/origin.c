/*-------------------------------------------------------------------------
 * origin.c
 *		Who does something now, as texts that another process can record.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/wire.h"
#include "ledger/origin.h"

/* A setting may have a name of any length. */
#define MAX_SOURCE 200

/* The origin of the statement before. */
static struct
{
	bool valid;
	uint64 version; /* at_guc_context_version */
	Oid user_id;
	Oid role_id;
	uint64 session_id;
	char application[NAMEDATALEN];
	MemoryContext memory;
	StringInfoData bytes; /* in it */
} before;

static bool is_as_before(const char *application);

void
at_origin_now(AtOrigin *origin)
{
	AtContext context;

	at_context_look(&context);
	*origin = (AtOrigin){
		.session_id = at_session_known(),
		.db_user = GetUserNameFromId(context.user_id, true),
		.db_role = GetUserNameFromId(context.role_id, true),
	};
	at_session_facts(&origin->session);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		const char *source = context.field[i].source;

		origin->field[i].value = context.field[i].value;
		if (source != NULL)
			origin->field[i].source = at_context_clean_part(source, strlen(source), MAX_SOURCE);
	}
}

const StringInfoData *
at_origin_bytes(void)
{
	const char *application = at_session_application();
	AtOrigin origin;

	if (is_as_before(application) && !at_context_has_hints())
		return &before.bytes;
	if (before.memory == NULL)
		before.memory =
			AllocSetContextCreate(CacheMemoryContext, "audit_trail origin", ALLOCSET_SMALL_SIZES);
	before.valid = false;
	MemoryContextReset(before.memory);

	MemoryContext save = MemoryContextSwitchTo(before.memory);

	at_origin_now(&origin);
	initStringInfo(&before.bytes);
	at_origin_write(&origin, &before.bytes);
	MemoryContextSwitchTo(save);
	before.version = at_guc_context_version;
	before.user_id = GetSessionUserId();
	before.role_id = at_context_role();
	before.session_id = origin.session_id;
	strlcpy(before.application, application != NULL ? application : "", sizeof(before.application));
	before.valid = !at_context_has_hints();
	return &before.bytes;
}

static bool
is_as_before(const char *application)
{
	return before.valid && before.version == at_guc_context_version &&
		   before.user_id == GetSessionUserId() && before.role_id == at_context_role() &&
		   before.session_id == at_session_known() &&
		   strcmp(before.application, application != NULL ? application : "") == 0;
}

/* A role may have another name. */
static void
forget(Datum arg, int cache_id, uint32 hash)
{
	before.valid = false;
}

void
at_origin_init(void)
{
	CacheRegisterSyscacheCallback(AUTHOID, forget, (Datum) 0);
}

void
at_origin_write(const AtOrigin *origin, StringInfo out)
{
	at_wire_put_number(out, origin->session_id);
	at_wire_put_number(out, origin->session.started_at);
	at_wire_put_number(out, origin->session.backend_pid);
	at_wire_put_number(out, origin->session.client_port);
	at_wire_put_text(out, origin->session.login_user);
	at_wire_put_text(out, origin->session.client_addr);
	at_wire_put_text(out, origin->session.application);
	at_wire_put_text(out, origin->session.tls);
	at_wire_put_text(out, origin->db_user);
	at_wire_put_text(out, origin->db_role);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		at_wire_put_text(out, origin->field[i].value);
		at_wire_put_text(out, origin->field[i].source);
	}
}

bool
at_origin_read(AtOrigin *origin, StringInfo in)
{
	bool valid = true;

	origin->session_id = at_wire_get_number(in, &valid);
	origin->session.started_at = at_wire_get_number(in, &valid);
	origin->session.backend_pid = at_wire_get_number(in, &valid);
	origin->session.client_port = at_wire_get_number(in, &valid);
	origin->session.login_user = at_wire_get_text(in, &valid);
	origin->session.client_addr = at_wire_get_text(in, &valid);
	origin->session.application = at_wire_get_text(in, &valid);
	origin->session.tls = at_wire_get_text(in, &valid);
	origin->db_user = at_wire_get_text(in, &valid);
	origin->db_role = at_wire_get_text(in, &valid);
	for (int i = 0; i < AT_CONTEXT_FIELDS; i++)
	{
		origin->field[i].value = at_wire_get_text(in, &valid);
		origin->field[i].source = at_wire_get_text(in, &valid);
	}
	return valid;
}
