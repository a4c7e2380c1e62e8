/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef NLPROOF_FAULT_H
#define NLPROOF_FAULT_H

/*
 * What goes wrong on purpose, in a module that is built with NLPROOF_FAULTS to test its unloading. No other build
 * has anything of it.
 */
#ifdef NLPROOF_FAULTS
/* Where a handler has counted itself in. */
void	nlproof_fault_point(const struct nlmsghdr *);
#define	NLPROOF_FAULT_POINT(hdr)	nlproof_fault_point(hdr)
/* Where Rust has entered the network epoch. */
void	nlproof_fault_epoch(void);
#define	NLPROOF_FAULT_EPOCH()		nlproof_fault_epoch()
#else
#define	NLPROOF_FAULT_POINT(hdr)	((void)0)
#define	NLPROOF_FAULT_EPOCH()		((void)0)
#endif

#endif
