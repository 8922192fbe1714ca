/*-------------------------------------------------------------------------
 * init.h
 *		Creating the ledger of a database.
 *-------------------------------------------------------------------------
 */
#ifndef AT_INIT_H
#define AT_INIT_H

/*
 * Create the ledger if there is none; returns whether it was created. Two
 * sessions that do it at once wait for each other. Acts as the extension's
 * owner, whoever calls. It will belong to the named role, see shield.h.
 */
extern bool at_ledger_create(const char *owner);

#endif
