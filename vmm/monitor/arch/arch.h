/* SPDX-License-Identifier: Apache-2.0 */
/* arch.h - what a CPU must answer. Nothing outside arch/ names one. */
#pragma once
