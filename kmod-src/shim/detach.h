/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef NLPROOF_DETACH_H
#define NLPROOF_DETACH_H

/* A change of an interface or its addresses begins when no driver is being taken from its device. */
void	nlproof_change_begins(void);
void	nlproof_change_ends(void);

#endif
