// What supervision decides on and tells of is part of this library's own face.
@_exported public import Supervision
