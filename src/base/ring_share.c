/*-------------------------------------------------------------------------
 * ring_share.c
 *		What the ring has of each database, in its file.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/atomics.h"

#include "base/ring_share.h"

bool
at_ring_share_is_unused(const AtRingShare *share)
{
	return share->cells == 0 && !share->served &&
		   memcmp(&share->lost, &share->told, sizeof(AtRingLoss)) == 0;
}

AtRingShare *
at_ring_share_find(AtRingKept *kept, Oid database)
{
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (kept->share[i].database == database)
			return &kept->share[i];
	return NULL;
}

AtRingShare *
at_ring_share_of(AtRingKept *kept, Oid database)
{
	AtRingShare *unused = NULL;

	for (int i = 0; i < AT_MAX_DATABASES; i++)
	{
		AtRingShare *share = &kept->share[i];

		if (share->database == database)
			return share;
		if (unused == NULL && at_ring_share_is_unused(share))
			unused = share;
	}
	if (unused != NULL)
	{
		*unused = (AtRingShare){
			.recorded = kept->number,
			.lost.files = kept->aside.file[0] != '\0',
		};
		pg_write_barrier();
		unused->database = database;
	}
	return unused;
}

Oid
at_ring_share_served_as(const AtRingKept *kept, const char *name)
{
	for (int i = 0; i < AT_MAX_DATABASES; i++)
		if (kept->share[i].served && strcmp(NameStr(kept->share[i].name), name) == 0)
			return kept->share[i].database;
	return InvalidOid;
}
