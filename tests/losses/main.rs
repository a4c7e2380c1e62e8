// SPDX-License-Identifier: BSD-2-Clause
//! Guests that are lost in the middle of a suite: what is said about it, and what it costs.

mod beside;
mod complaints;
mod engine;
mod mistakes;
mod real;
mod shares;
mod simulated;
mod stated;
