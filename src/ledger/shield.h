/*-------------------------------------------------------------------------
 * shield.h
 *		Who owns the ledger, and its row security.
 *
 * Tables and views of the ledger belong to a role that cannot log in and is
 * no superuser. So the views, which read with its rights, are bound by the
 * policies of the tables, which ask who the reader is (reader.h). Capture,
 * workers and verification read and write below all of that.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SHIELD_H
#define AT_SHIELD_H

#define AT_LEDGER_OWNER_DEFAULT "audit_ledger"

/*
 * Give everything in the schema that is no member of the extension to the
 * role, which is made if it is not there, and put row security in force.
 * What is so already stays. Acts as the extension's owner, by SPI, to which
 * the caller is connected.
 */
extern void at_shield(const char *owner);

/* The same for a new table that is to become a partition of a table of the ledger. */
extern void at_shield_partition(const char *name, const char *table);

#endif
