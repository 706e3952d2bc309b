"""Boards: their tops, clocks, pins and flash, and the tool runs that make a bitstream."""
from boards.icebreaker import Icebreaker
from boards.ulx3s import Ulx3s12F, Ulx3s25F, Ulx3s45F, Ulx3s85F

BOARDS = {board.BUDGET.name: board
          for board in (Icebreaker, Ulx3s12F, Ulx3s25F, Ulx3s45F, Ulx3s85F)}
