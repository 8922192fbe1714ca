/*-------------------------------------------------------------------------
 * role.h
 *		Roles of the cluster that belong to the audit trail.
 *
 * Several databases share them. A role is known as ours by its comment, so
 * that none is taken by mistake that somebody made for another purpose.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ROLE_H
#define AT_ROLE_H

/*
 * See to it that the role is there, cannot log in, and is nobody's for
 * another purpose; returns whether it was made. The purpose is a word or two.
 * Acts as the extension's owner, by SPI, to which the caller is connected.
 * Other databases that do it at once wait to the end of the transaction.
 */
extern bool at_role_make(const char *name, const char *purpose);

#endif
