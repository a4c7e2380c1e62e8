// SPDX-License-Identifier: BSD-2-Clause
//! Guests that are lost in the middle of a suite: the report about it, and the cost.

mod beside;
mod complaints;
mod engine;
mod mistakes;
mod real;
mod shares;
mod simulated;
mod stated;
