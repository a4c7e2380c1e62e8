/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef NLPROOF_EARLY_H
#define NLPROOF_EARLY_H

/* The kernel starts, and netlink is not there yet: nothing can be written to a group. */
extern volatile bool nlproof_early;

/* The protocols are there: handlers are taken over from now on. */
void	nlproof_early_end(void);

#endif
