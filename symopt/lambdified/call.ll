; The method behind functions of `lambdify`: it takes floats, and arrays of doubles of one shape.
;
; One copy serves all functions: what differs is in the record that the method is bound to (`Call`
; in calling.py). A word with a dollar is the place of a field. Whatever is not plainly right goes
; to the Python function in the record, which converts the arguments, compiles, or raises.

@PyFloat_Type = external global i8
@PyLong_Type = external global i8
declare i32 @PyType_IsSubtype(ptr, ptr)
declare double @PyLong_AsDouble(ptr)
declare void @PyErr_Clear()
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyFloat_FromDouble(double)
declare ptr @PyBool_FromLong(i64)
declare ptr @PyList_New(i64)
declare i32 @PyList_SetItem(ptr, i64, ptr)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)

define void @symopt_call(ptr %into) {
  store ptr @method, ptr %into
  ret void
}

; A field of a record or an object.
define internal i64 @word(ptr %record, i64 %place) alwaysinline {
  %at = getelementptr i8, ptr %record, i64 %place
  %word = load i64, ptr %at
  ret i64 %word
}

define internal ptr @pointer(ptr %record, i64 %place) alwaysinline {
  %at = getelementptr i8, ptr %record, i64 %place
  %pointer = load ptr, ptr %at
  ret ptr %pointer
}

; An array of the rank and sizes, or null with an exception set.
define internal ptr @fresh(ptr %call, i32 %rank, ptr %sizes) {
  %new = call ptr @pointer(ptr %call, i64 $new_array)
  %ndarray = call ptr @pointer(ptr %call, i64 $ndarray)
  %made = call ptr %new(ptr %ndarray, i32 %rank, ptr %sizes, i32 $doubles, ptr null, ptr null, i32 0, i32 0, ptr null)
  ret ptr %made
}

; How many elements there are in an array like the one found first, if this one is a plain one of
; doubles of its shape; else -1.
define internal i64 @elements(ptr %call, ptr %array, ptr %like) {
entry:
  %dtype = call ptr @pointer(ptr %array, i64 $array_dtype)
  %float64 = call ptr @pointer(ptr %call, i64 $float64)
  %doubles = icmp eq ptr %dtype, %float64
  %flags.at = getelementptr i8, ptr %array, i64 $array_flags
  %flags.all = load i32, ptr %flags.at
  %flags.found = and i32 %flags.all, $readable
  %flagged = icmp eq i32 %flags.found, $readable
  %rank.at = getelementptr i8, ptr %array, i64 $array_rank
  %rank = load i32, ptr %rank.at
  %like.rank.at = getelementptr i8, ptr %like, i64 $array_rank
  %like.rank = load i32, ptr %like.rank.at
  %ranked = icmp eq i32 %rank, %like.rank
  %some = icmp ne i32 %rank, 0
  %right.1 = and i1 %doubles, %flagged
  %right.2 = and i1 %ranked, %some
  %right = and i1 %right.1, %right.2
  %sizes = call ptr @pointer(ptr %array, i64 $array_sizes)
  %like.sizes = call ptr @pointer(ptr %like, i64 $array_sizes)
  br i1 %right, label %axis, label %no
axis:
  %k = phi i32 [ 0, %entry ], [ %k.next, %same ]
  %total = phi i64 [ 1, %entry ], [ %total.next, %same ]
  %done = icmp eq i32 %k, %rank
  br i1 %done, label %finish, label %compare
compare:
  %size.at = getelementptr i64, ptr %sizes, i32 %k
  %size = load i64, ptr %size.at
  %like.at = getelementptr i64, ptr %like.sizes, i32 %k
  %like.size = load i64, ptr %like.at
  %equal = icmp eq i64 %size, %like.size
  br i1 %equal, label %same, label %no
same:
  %total.next = mul i64 %total, %size
  %k.next = add i32 %k, 1
  br label %axis
finish:
  ret i64 %total
no:
  ret i64 -1
}

; METH_FASTCALL | METH_KEYWORDS: `names` are those of the arguments after the first `count`.
define internal ptr @method(ptr %self, ptr %arguments, i64 %count, ptr %names) {
entry:
  %call = call ptr @pointer(ptr %self, i64 $record_data)
  %wanted = call i64 @word(ptr %call, i64 $argument_count)
  %counted = icmp eq i64 %count, %wanted
  %unnamed = icmp eq ptr %names, null
  %plain = and i1 %counted, %unnamed
  br i1 %plain, label %prepare, label %elsewhere
prepare:
  %inputs = call i64 @word(ptr %call, i64 $input_count)
  %outputs = call i64 @word(ptr %call, i64 $output_count)
  %kind = call i64 @word(ptr %call, i64 $kind)
  %values = alloca double, i64 %count
  %places = alloca i64, i64 %count
  %results = alloca double, i64 %outputs
  %slots.1 = add i64 %inputs, %outputs
  %slots = add i64 %slots.1, 1
  %table = alloca i64, i64 %slots
  %ndarray = call ptr @pointer(ptr %call, i64 $ndarray)
  br label %argument

argument:
  %i = phi i64 [ 0, %prepare ], [ %i.next, %number ], [ %i.next, %array.right ]
  %mask = phi i64 [ 0, %prepare ], [ %mask, %number ], [ %mask.next, %array.right ]
  %like = phi ptr [ null, %prepare ], [ %like, %number ], [ %like.next, %array.right ]
  %samples = phi i64 [ 1, %prepare ], [ %samples, %number ], [ %total, %array.right ]
  %all = icmp eq i64 %i, %count
  br i1 %all, label %choose, label %look
look:
  %i.next = add i64 %i, 1
  %one.at = getelementptr ptr, ptr %arguments, i64 %i
  %one = load ptr, ptr %one.at
  %type = call ptr @pointer(ptr %one, i64 $object_type)
  %place.at = getelementptr i64, ptr %places, i64 %i
  %value.at = getelementptr double, ptr %values, i64 %i
  %value.place = ptrtoint ptr %value.at to i64
  %is.float = icmp eq ptr %type, @PyFloat_Type
  br i1 %is.float, label %float, label %look.array
look.array:
  %is.array = icmp eq ptr %type, %ndarray
  br i1 %is.array, label %array, label %look.integer
look.integer:
  %is.integer = icmp eq ptr %type, @PyLong_Type
  br i1 %is.integer, label %integer, label %look.derived
look.derived:
  ; A derived type has its double at the same place: NumPy's scalars of doubles are such.
  %derived = call i32 @PyType_IsSubtype(ptr %type, ptr @PyFloat_Type)
  %is.derived = icmp ne i32 %derived, 0
  br i1 %is.derived, label %float, label %elsewhere
float:
  %float.at = getelementptr i8, ptr %one, i64 $float_value
  %float.found = load double, ptr %float.at
  br label %number
integer:
  %integer.found = call double @PyLong_AsDouble(ptr %one)
  %odd = fcmp oeq double %integer.found, -1.0
  br i1 %odd, label %unsure, label %number
unsure:
  call void @PyErr_Clear()
  br label %elsewhere
number:
  %found = phi double [ %float.found, %float ], [ %integer.found, %integer ]
  store double %found, ptr %value.at
  store i64 %value.place, ptr %place.at
  br label %argument
array:
  %first = icmp eq ptr %like, null
  %like.next = select i1 %first, ptr %one, ptr %like
  %total = call i64 @elements(ptr %call, ptr %one, ptr %like.next)
  %array.wrong = icmp eq i64 %total, -1
  br i1 %array.wrong, label %elsewhere, label %array.right
array.right:
  %data = call i64 @word(ptr %one, i64 $array_data)
  store i64 %data, ptr %place.at
  %i.bit = and i64 %i, 63
  %bit = shl i64 1, %i.bit
  %mask.next = or i64 %mask, %bit
  br label %argument

choose:
  %numbers = icmp eq i64 %mask, 0
  %kernel.numbers = call ptr @pointer(ptr %call, i64 $number_kernel)
  %kernel.arrays = call ptr @pointer(ptr %call, i64 $array_kernel)
  %kernel = select i1 %numbers, ptr %kernel.numbers, ptr %kernel.arrays
  %mask.known = call i64 @word(ptr %call, i64 $array_mask)
  %same.mask = icmp eq i64 %mask, %mask.known
  %right.mask = or i1 %numbers, %same.mask
  %known = icmp ne ptr %kernel, null
  %go = and i1 %right.mask, %known
  br i1 %go, label %input, label %elsewhere

input:
  %p = phi i64 [ 0, %choose ], [ %p.next, %input.one ]
  %inputs.done = icmp eq i64 %p, %inputs
  br i1 %inputs.done, label %fork, label %input.one
input.one:
  %positions = call ptr @pointer(ptr %call, i64 $inputs)
  %position.at = getelementptr i64, ptr %positions, i64 %p
  %position = load i64, ptr %position.at
  %from.at = getelementptr i64, ptr %places, i64 %position
  %from = load i64, ptr %from.at
  %into.at = getelementptr i64, ptr %table, i64 %p
  store i64 %from, ptr %into.at
  %p.next = add i64 %p, 1
  br label %input

fork:
  %last.at = getelementptr i64, ptr %table, i64 %slots.1
  store i64 %samples, ptr %last.at
  %table.outputs = getelementptr i64, ptr %table, i64 %inputs
  br i1 %numbers, label %matrix.or, label %arrays

; ── numbers ──────────────────────────────────────────────────────────────────────────────────

matrix.or:
  %is.matrix = icmp eq i64 %kind, 3
  br i1 %is.matrix, label %matrix, label %output
matrix:
  %matrix.rank.wide = call i64 @word(ptr %call, i64 $rank)
  %matrix.rank = trunc i64 %matrix.rank.wide to i32
  %matrix.sizes = getelementptr i8, ptr %call, i64 $sizes
  %made = call ptr @fresh(ptr %call, i32 %matrix.rank, ptr %matrix.sizes)
  %made.wrong = icmp eq ptr %made, null
  br i1 %made.wrong, label %failed, label %matrix.right
matrix.right:
  %made.data = call ptr @pointer(ptr %made, i64 $array_data)
  br label %output
output:
  %base = phi ptr [ %results, %matrix.or ], [ %made.data, %matrix.right ]
  %whole = phi ptr [ null, %matrix.or ], [ %made, %matrix.right ]
  br label %output.next
output.next:
  %q = phi i64 [ 0, %output ], [ %q.next, %output.one ]
  %outputs.done = icmp eq i64 %q, %outputs
  br i1 %outputs.done, label %compute, label %output.one
output.one:
  %result.at = getelementptr double, ptr %base, i64 %q
  %result.place = ptrtoint ptr %result.at to i64
  %output.at = getelementptr i64, ptr %table.outputs, i64 %q
  store i64 %result.place, ptr %output.at
  %q.next = add i64 %q, 1
  br label %output.next
compute:
  call void %kernel(ptr %table)
  switch i64 %kind, label %give.float [ i64 1, label %list  i64 2, label %tuple  i64 3, label %give.whole  i64 4, label %give.truth ]
give.whole:
  ret ptr %whole
give.float:
  %single = load double, ptr %results
  %single.object = call ptr @PyFloat_FromDouble(double %single)
  ret ptr %single.object
give.truth:
  %truth.value = load double, ptr %results
  %truth = fcmp une double %truth.value, 0.0
  %truth.wide = zext i1 %truth to i64
  %truth.object = call ptr @PyBool_FromLong(i64 %truth.wide)
  ret ptr %truth.object
list:
  %list.made = call ptr @PyList_New(i64 %outputs)
  br label %fill
tuple:
  %tuple.made = call ptr @PyTuple_New(i64 %outputs)
  br label %fill
fill:
  %container = phi ptr [ %list.made, %list ], [ %tuple.made, %tuple ]
  %container.wrong = icmp eq ptr %container, null
  br i1 %container.wrong, label %failed, label %item
item:
  %m = phi i64 [ 0, %fill ], [ %m.next, %item.set ]
  %items.done = icmp eq i64 %m, %outputs
  br i1 %items.done, label %give.container, label %item.one
item.one:
  %item.at = getelementptr double, ptr %results, i64 %m
  %item.value = load double, ptr %item.at
  %item.object = call ptr @PyFloat_FromDouble(double %item.value)
  %item.wrong = icmp eq ptr %item.object, null
  br i1 %item.wrong, label %drop, label %item.set
item.set:
  %m.next = add i64 %m, 1
  call void @put(i64 %kind, ptr %container, i64 %m, ptr %item.object)
  br label %item
give.container:
  ret ptr %container
drop:
  call void @Py_DecRef(ptr %container)
  ret ptr null

; ── arrays ───────────────────────────────────────────────────────────────────────────────────

arrays:
  %shape.rank.at = getelementptr i8, ptr %like, i64 $array_rank
  %shape.rank = load i32, ptr %shape.rank.at
  %shape.sizes = call ptr @pointer(ptr %like, i64 $array_sizes)
  switch i64 %kind, label %elsewhere [ i64 0, label %single.array  i64 1, label %arrays.list  i64 2, label %arrays.tuple  i64 3, label %block ]
single.array:
  %array.made = call ptr @fresh(ptr %call, i32 %shape.rank, ptr %shape.sizes)
  %array.made.wrong = icmp eq ptr %array.made, null
  br i1 %array.made.wrong, label %failed, label %single.array.right
single.array.right:
  %array.made.data = call i64 @word(ptr %array.made, i64 $array_data)
  store i64 %array.made.data, ptr %table.outputs
  br label %run
block:
  ; One array: the axes of the matrix, then those of the arguments.
  %block.rank.wide = call i64 @word(ptr %call, i64 $rank)
  %block.rank = trunc i64 %block.rank.wide to i32
  %block.sizes = getelementptr i8, ptr %call, i64 $sizes
  %joined.rank = add i32 %block.rank, %shape.rank
  %joined = alloca i64, i32 %joined.rank
  br label %join
join:
  %j = phi i32 [ 0, %block ], [ %j.next, %join.one ]
  %joined.all = icmp eq i32 %j, %joined.rank
  br i1 %joined.all, label %block.make, label %join.one
join.one:
  %own = icmp slt i32 %j, %block.rank
  %beyond = sub i32 %j, %block.rank
  %own.at = getelementptr i64, ptr %block.sizes, i32 %j
  %shape.at = getelementptr i64, ptr %shape.sizes, i32 %beyond
  %size.from = select i1 %own, ptr %own.at, ptr %shape.at
  %size.here = load i64, ptr %size.from
  %joined.at = getelementptr i64, ptr %joined, i32 %j
  store i64 %size.here, ptr %joined.at
  %j.next = add i32 %j, 1
  br label %join
block.make:
  %block.made = call ptr @fresh(ptr %call, i32 %joined.rank, ptr %joined)
  %block.wrong = icmp eq ptr %block.made, null
  br i1 %block.wrong, label %failed, label %block.right
block.right:
  %block.data = call i64 @word(ptr %block.made, i64 $array_data)
  %stride = mul i64 %samples, 8
  br label %part
part:
  %b = phi i64 [ 0, %block.right ], [ %b.next, %part.one ]
  %part.place = phi i64 [ %block.data, %block.right ], [ %part.next, %part.one ]
  %parts.done = icmp eq i64 %b, %outputs
  br i1 %parts.done, label %run, label %part.one
part.one:
  %part.at = getelementptr i64, ptr %table.outputs, i64 %b
  store i64 %part.place, ptr %part.at
  %part.next = add i64 %part.place, %stride
  %b.next = add i64 %b, 1
  br label %part
arrays.list:
  %arrays.list.made = call ptr @PyList_New(i64 %outputs)
  br label %arrays.fill
arrays.tuple:
  %arrays.tuple.made = call ptr @PyTuple_New(i64 %outputs)
  br label %arrays.fill
arrays.fill:
  %group = phi ptr [ %arrays.list.made, %arrays.list ], [ %arrays.tuple.made, %arrays.tuple ]
  %group.wrong = icmp eq ptr %group, null
  br i1 %group.wrong, label %failed, label %member
member:
  %g = phi i64 [ 0, %arrays.fill ], [ %g.next, %member.set ]
  %members.done = icmp eq i64 %g, %outputs
  br i1 %members.done, label %run, label %member.one
member.one:
  %member.made = call ptr @fresh(ptr %call, i32 %shape.rank, ptr %shape.sizes)
  %member.wrong = icmp eq ptr %member.made, null
  br i1 %member.wrong, label %member.drop, label %member.set
member.set:
  %member.data = call i64 @word(ptr %member.made, i64 $array_data)
  %member.at = getelementptr i64, ptr %table.outputs, i64 %g
  store i64 %member.data, ptr %member.at
  %g.next = add i64 %g, 1
  call void @put(i64 %kind, ptr %group, i64 %g, ptr %member.made)
  br label %member
member.drop:
  call void @Py_DecRef(ptr %group)
  ret ptr null
run:
  %filled = phi ptr [ %array.made, %single.array.right ], [ %group, %member ], [ %block.made, %part ]
  ; A run over more than a few samples takes about a microsecond, and gives up the GIL.
  %short = icmp slt i64 %samples, $few
  br i1 %short, label %holding, label %releasing
holding:
  call void %kernel(ptr %table)
  ret ptr %filled
releasing:
  %thread = call ptr @PyEval_SaveThread()
  call void %kernel(ptr %table)
  call void @PyEval_RestoreThread(ptr %thread)
  ret ptr %filled

elsewhere:
  %fallback = call ptr @pointer(ptr %call, i64 $fallback)
  %other = call ptr @PyObject_Vectorcall(ptr %fallback, ptr %arguments, i64 %count, ptr %names)
  ret ptr %other
failed:
  ret ptr null
}

; Puts an object in a list (kind 1) or a tuple (kind 2), which then owns it.
define internal void @put(i64 %kind, ptr %container, i64 %at, ptr %object) {
entry:
  %is.list = icmp eq i64 %kind, 1
  br i1 %is.list, label %list, label %tuple
list:
  %set.list = call i32 @PyList_SetItem(ptr %container, i64 %at, ptr %object)
  ret void
tuple:
  %set.tuple = call i32 @PyTuple_SetItem(ptr %container, i64 %at, ptr %object)
  ret void
}
