/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef NLPROOF_ADDRESS_H
#define NLPROOF_ADDRESS_H

/* Reads an address for Rust. The caller is in the network epoch or holds a reference to it. */
void	nlproof_address_of(struct ifaddr *, struct nlproof_address *);

#endif
