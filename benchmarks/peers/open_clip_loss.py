"""open_clip for `loss.py`: PEER/python open_clip_loss.py"""

import open_clip
from loss_rounds import serve
from open_clip.loss import ClipLoss

serve(f"open_clip {open_clip.__version__}", ClipLoss())
