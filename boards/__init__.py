"""Boards: their tops, clocks, pins and flash, and the tool runs that make a bitstream."""
from boards.icebreaker import Icebreaker

BOARDS = {"icebreaker": Icebreaker}
