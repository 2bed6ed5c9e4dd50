"""python -m zslpipe"""

from zslpipe.cli import main

main(prog_name="zslpipe")
