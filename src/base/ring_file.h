/*-------------------------------------------------------------------------
 * ring_file.h
 *		The file that the ring's memory is a mapping of: what is in it outlives
 *		every process of the server.
 *
 * It is pg_dynshmem/audit_trail.ring. What is in that directory is left out
 * of base backups, pg_rewind removes it, and PostgreSQL itself removes
 * only what it has put there. The postmaster maps the file when it starts, all others inherit that.
 *
 * A file is doubtful if it may tell what this cluster has recorded already,
 * or never had: one that was copied, belongs to another cluster, was open when the operating system
 * went down (its pages are then of different times), or if this server begins
 * to recover from a backup, or to follow another one, which it did not before.
 *-------------------------------------------------------------------------
 */
#ifndef AT_RING_FILE_H
#define AT_RING_FILE_H

#define AT_RING_FILE "pg_dynshmem/audit_trail.ring"

/* A file that was not used, but renamed; all empty: there was none. */
typedef struct AtRingAside
{
	char file[64];
	char reason[128];
} AtRingAside;

typedef struct AtRingFile
{
	char *area;        /* page-aligned; zeros where nothing was written */
	Size size;         /* of it, as asked for or as it was, whichever is more */
	Size was;          /* its size in the file as it was found; 0: it is new */
	const char *doubt; /* why it cannot be relied on; NULL: it can */
} AtRingFile;

/*
 * Map the file in the postmaster. If there is none that can be read, a new one is made; one that
 * cannot be read is set aside. Ends the process if that fails.
 */
extern void at_ring_file_open(Size size, AtRingFile *file, AtRingAside *aside);

/* Rename the file that is open, for this reason, and map a new one in its place. */
extern void at_ring_file_replace(Size size, const char *reason, AtRingFile *file,
								 AtRingAside *aside);

/* Give back what lies behind a size. */
extern void at_ring_file_truncate(Size size, AtRingFile *file);

/* If this server writes, it follows no other: its file is that of such a one. */
extern void at_ring_file_leads(void);

#endif
