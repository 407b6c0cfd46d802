"""Tests of battery packs: what pages and reports say of them, pure functions."""
