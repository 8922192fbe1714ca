/*-------------------------------------------------------------------------
 * patient_lock.h
 *		Locks that nobody is to wait behind.
 *-------------------------------------------------------------------------
 */
#ifndef AT_PATIENT_LOCK_H
#define AT_PATIENT_LOCK_H

#include "nodes/pg_list.h"

/*
 * Take AccessExclusiveLock on relations, in this order, to the end of the transaction. All of them
 * are had within 30 ms or given up, and tried again with longer and longer pauses, for two minutes;
 * then ERRCODE_LOCK_NOT_AVAILABLE.
 */
extern void at_lock_patiently(List *oids);

#endif
