/* Keys, mouse and touch to session events: one table. Pure. */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>

#include "session.h"
#include "ui/ui_sdl.h"

/* What an input means; `ui` answers where a pointer hit. false: nothing. A held key repeats only
 * what moves in lists. */
bool input_event(const struct ui_input *in, const struct ui *ui, enum session_event *e, int *arg);

#endif
