/* SPDX-License-Identifier: BSD-2-Clause */
/* Generated from kmod-src/probes.yaml: NLPROOF_BLESS=1 cargo test -p nlproof --lib ktrace */
#ifndef NLPROOF_PROBES_H
#define NLPROOF_PROBES_H

#define	NLPROOF_PROBE_WORDS	5

#define	NLPROOF_REQUEST_IN	0
#define	NLPROOF_REQUEST_PARSED	1
#define	NLPROOF_INTERFACE_LOOKED_UP	2
#define	NLPROOF_DUMP_BEGIN	3
#define	NLPROOF_MESSAGE_WRITTEN	4
#define	NLPROOF_DUMP_END	5
#define	NLPROOF_ERROR	6
#define	NLPROOF_REQUEST_OUT	7
#define	NLPROOF_EVENT_BEGIN	8
#define	NLPROOF_EVENT_OUT	9
#define	NLPROOF_EVENT_END	10
#define	NLPROOF_CLONER_IN	11
#define	NLPROOF_CLONER_OUT	12
#define	NLPROOF_CHANGE_IN	13
#define	NLPROOF_CHANGE_OUT	14
#define	NLPROOF_REFERENCE_TAKEN	15
#define	NLPROOF_REFERENCE_RELEASED	16
#define	NLPROOF_EPOCH_ENTER	17
#define	NLPROOF_EPOCH_EXIT	18
#define	NLPROOF_TAKE_OVER	19
#define	NLPROOF_HAND_BACK	20

/* Number, name, and the name as SDT wants it. */
#define	NLPROOF_PROBES(_probe) \
	_probe(NLPROOF_REQUEST_IN, "request-in", request__in) \
	_probe(NLPROOF_REQUEST_PARSED, "request-parsed", request__parsed) \
	_probe(NLPROOF_INTERFACE_LOOKED_UP, "interface-looked-up", interface__looked__up) \
	_probe(NLPROOF_DUMP_BEGIN, "dump-begin", dump__begin) \
	_probe(NLPROOF_MESSAGE_WRITTEN, "message-written", message__written) \
	_probe(NLPROOF_DUMP_END, "dump-end", dump__end) \
	_probe(NLPROOF_ERROR, "error", error) \
	_probe(NLPROOF_REQUEST_OUT, "request-out", request__out) \
	_probe(NLPROOF_EVENT_BEGIN, "event-begin", event__begin) \
	_probe(NLPROOF_EVENT_OUT, "event-out", event__out) \
	_probe(NLPROOF_EVENT_END, "event-end", event__end) \
	_probe(NLPROOF_CLONER_IN, "cloner-in", cloner__in) \
	_probe(NLPROOF_CLONER_OUT, "cloner-out", cloner__out) \
	_probe(NLPROOF_CHANGE_IN, "change-in", change__in) \
	_probe(NLPROOF_CHANGE_OUT, "change-out", change__out) \
	_probe(NLPROOF_REFERENCE_TAKEN, "reference-taken", reference__taken) \
	_probe(NLPROOF_REFERENCE_RELEASED, "reference-released", reference__released) \
	_probe(NLPROOF_EPOCH_ENTER, "epoch-enter", epoch__enter) \
	_probe(NLPROOF_EPOCH_EXIT, "epoch-exit", epoch__exit) \
	_probe(NLPROOF_TAKE_OVER, "take-over", take__over) \
	_probe(NLPROOF_HAND_BACK, "hand-back", hand__back)

#endif
