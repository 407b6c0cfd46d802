"""Signals of the plant: small state machines that step through time, each with its own seeded random numbers.

A line's variables are compiled into one function (`physics`), so that a shift takes seconds. They are evaluated in
their order in plant.yaml, every `step_s` (default 0.05 s; of the variable, else of the whole file). A parameter is a
number or an expression over the variables before it, and over the previous value of itself and those after it.

An expression knows every variable of its line, `t` (seconds since the start), `dt` (seconds since its last
evaluation), `hour` (0-24, local time of day of the plant) and `weekday` (0 = Monday); the plant's calendar begins on a
Monday at 08:00 whatever a clock says. `normal(sigma)`, `lognormal(sigma)`, `chance(p)` and `uniform(a, b)` draw from
the variable's own generator; beside them there are `exp log sqrt sin cos tanh floor pi min max abs int round float bool
str len sum`.

Models (`models`) and their parameters; every one takes `initial` (default 0):

==========  ====================================================================================
expr        `value`; the default
constant    `value`, a literal
lag1        first-order lag towards `target` with time constant `tau_s`
ou          noise around `mean`: standard deviation `sigma`, time constant `tau_s`
integrator  integral of `rate` over seconds
counter     adds `add` at each step, wraps at `modulo`, returns to `initial` while `reset`; also `wear`
cycle       phase 0..1 of `period_s` (`jitter`, lognormal) while `run`; NAME_n = cycles completed in this step,
            NAME_s = length of the last one
latch       takes `value` when `at` is true, and holds it
markov      state machine of `moves`: {from, to, per_h | after_s | when}; NAME_t = seconds in the state
pid         controller of `pv` to `sv`: `gain` (% per unit), `integral_s`; 0..100 %, 0 while not `run`
zone        heated zone: `mv` %, `full_k` rise at 100 %, `tau_s`, `ambient`, `neighbours` with `coupling`, `load` in
            ℃/s of cooling
schedule    1 working, 0 break or closed: `shifts` ["08:00-20:00"], `breaks` ["12:00-13:00"], `days` [0, 1, 2, 3, 4]
played      `column` of the history that the line plays (`tape`; default: its own name); NAME_bad = 1 where there is no
            value; the column `row` counts rows
==========  ====================================================================================

A step shorter than the one a variable reads with is not seen by it: NAME_n is 1 for one step of its cycle.
"""
